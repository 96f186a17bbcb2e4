import { scenarioOf } from "./draw.ts"; import { runOperator } from "./run.ts";
const [a,b]=[Number(process.argv[2]),Number(process.argv[3]??process.argv[2])];
const t=performance.now(); let plans=0; const fails:Record<string,number[]>={}; const ends:Record<string,number>={};
for(let s=a;s<=b;s++){const r=runOperator(scenarioOf(s), a===b?console.log:null); plans+=r.plans; ends[r.ending]=(ends[r.ending]??0)+1; if(r.violation){(fails[r.violation.checker]??=[]).push(s); console.log(s,r.violation.checker,r.violation.message.slice(0,400));}}
console.log(plans,"plans",((performance.now()-t)/1000).toFixed(1),"s",ends,Object.fromEntries(Object.entries(fails).map(([k,v])=>[k,v.length])));
